// The form of a FHIR logical id. Checked before an id enters a URL or a reference.

const form = /^[A-Za-z0-9\-.]{1,64}$/;

/** True for an R4 `id` (datatypes.html#id) that is no path segment `.` or `..`. */
export function isFhirId(id: unknown): id is string {
  return typeof id === "string" && form.test(id) && id !== "." && id !== "..";
}
