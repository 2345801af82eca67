// The only coded values that a Safe Harbor release may hold. A value outside its list may be free text in disguise
// (45 CFR 164.514(b)(2)(i)(R)).

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));

export const genders = words("male female other unknown");
export const addressUses = words("home work temp old billing");
export const linkTypes = words("replaced-by replaces refer seealso");
export const appointmentStatuses = words(
  "proposed pending booked arrived fulfilled cancelled noshow entered-in-error checked-in waitlist",
);
export const participantRequired = words("required optional information-only");
export const participationStatuses = words("accepted declined tentative needs-action");

/** Appointment.appointmentType: HL7 v2 table 0276, the R4 preferred value set. */
export const appointmentTypeSystem = "http://terminology.hl7.org/CodeSystem/v2-0276";
export const appointmentTypes = words("CHECKUP EMERGENCY FOLLOWUP ROUTINE WALKIN");

const stateList =
  "AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,DE Delaware,DC District of Columbia," +
  "FL Florida,GA Georgia,HI Hawaii,ID Idaho,IL Illinois,IN Indiana,IA Iowa,KS Kansas,KY Kentucky,LA Louisiana,ME Maine," +
  "MD Maryland,MA Massachusetts,MI Michigan,MN Minnesota,MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada," +
  "NH New Hampshire,NJ New Jersey,NM New Mexico,NY New York,NC North Carolina,ND North Dakota,OH Ohio,OK Oklahoma,OR Oregon," +
  "PA Pennsylvania,PR Puerto Rico,RI Rhode Island,SC South Carolina,SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont," +
  "VA Virginia,WA Washington,WV West Virginia,WI Wisconsin,WY Wyoming";

const states = new Map<string, string>();
for (const entry of stateList.split(",")) {
  states.set(entry.slice(0, 2), entry.slice(0, 2)).set(entry.slice(3).toUpperCase(), entry.slice(0, 2));
}

/** Two-letter code of a State, from its code or English name; undefined for anything else. */
export function stateCode(text: unknown): string | undefined {
  return typeof text === "string" ? states.get(text.trim().toUpperCase()) : undefined;
}

const unitedStates = new Set(["US", "USA", "UNITED STATES", "UNITED STATES OF AMERICA"]);

export function isUnitedStates(text: unknown): boolean {
  return typeof text === "string" && unitedStates.has(text.trim().toUpperCase());
}
