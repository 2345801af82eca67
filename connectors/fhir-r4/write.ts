// Writes of one resource: a conditional create under the link id, an update of exactly the version that was merged. One
// request each; an answer that does not tell what happened is ambiguous, never taken for success.
import { SluiceError } from "../../src/core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../src/core/json.ts";
import type { ConnectorContext, UpdateRequest, WriteRequest, Written } from "../../src/connector/contract.ts";
import type { FhirAnswer, FhirClient } from "./client.ts";
import type { FhirConnection } from "./connection.ts";
import { failureOf } from "./outcome.ts";
import { checkId, checkWritable, isId, metaText, versionIn } from "./resource.ts";

export class FhirWriter {
  readonly #connection: FhirConnection;
  readonly #context: ConnectorContext;
  readonly #client: FhirClient;

  constructor(connection: FhirConnection, context: ConnectorContext, client: FhirClient) {
    this.#connection = connection;
    this.#context = context;
    this.#client = client;
  }

  /**
   * FHIR R4 3.1.0.8.1 conditional create: 201 made now, 200 a record with this link id exists already (and keeps what it
   * holds), 412 several exist (`record-ambiguous`).
   */
  async create(request: WriteRequest): Promise<Written> {
    checkWritable(request.type);
    checkLinkId(request.linkId);
    const { linkSystem } = this.#connection;
    const body = withLink(checkBody(request.type, request.body), linkSystem, request.linkId);
    const headers = { "if-none-exist": `identifier=${linkSystem}|${request.linkId}`, prefer: "return=representation" };
    const answer = await this.#client.write(headers, (client, options) =>
      client.create({ resourceType: request.type, body, options }),
    );
    if (answer.status === 412) {
      throw new SluiceError("record-ambiguous", `several ${request.type} records carry this link id`, {
        status: 412,
        hint: "an EHR analyst has to merge or remove all but one of them",
      });
    }
    this.#checkStatus(answer);
    const made = written(request.type, answer);
    return answer.status === 200 ? { ...made, existing: true } : made;
  }

  /** PUT under If-Match (FHIR R4 3.1.0.3). The body is the whole resource and goes out as it is. */
  async update(request: UpdateRequest): Promise<Written> {
    checkWritable(request.type);
    checkId(request.id);
    const body = checkBody(request.type, request.body);
    if (body["id"] !== request.id) throw new SluiceError("input-malformed", "the body's id is not that of the record");
    if (request.version === undefined || versionIn(`"${request.version}"`) === undefined) {
      throw new SluiceError("system-rejected", "an update needs the version it was made from", {
        hint: "a server that keeps no versions cannot be written to safely",
      });
    }
    const headers = { "if-match": `W/"${request.version}"`, prefer: "return=representation" };
    const answer = await this.#client.write(headers, (client, options) =>
      client.update({ resourceType: request.type, id: request.id, body, options }),
    );
    this.#checkStatus(answer);
    return { id: request.id, version: versionOf(answer) };
  }

  #checkStatus(answer: FhirAnswer): void {
    if (answer.status >= 200 && answer.status <= 299) return;
    throw failureOf(answer, true, this.#context.clock.now());
  }
}

type Body = JsonObject & { readonly resourceType: string };

function checkBody(type: string, body: JsonObject): Body {
  if (body["resourceType"] !== type) throw new SluiceError("input-malformed", `the body is not a ${type}`);
  return body as Body;
}

/** Link ids are Sluice's own, base64url: nothing that means something in a search parameter. */
function checkLinkId(linkId: string): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(linkId)) throw new SluiceError("input-malformed", "that is not a link id");
}

/** The body with the link id as an identifier, and without what the server assigns. */
function withLink(body: Body, system: string, value: string): Body {
  const { id: _id, identifier, ...rest } = body;
  const others: readonly Json[] = Array.isArray(identifier) ? (identifier as readonly Json[]) : [];
  const kept = others.filter((one) => !isJsonObject(one) || one["system"] !== system);
  return { ...rest, resourceType: body.resourceType, identifier: [...kept, { system, value }] };
}

/** Id and version from `Location` (`[base]/Type/id/_history/version`), ETag and body, whichever the server sent. */
function written(type: string, answer: FhirAnswer): Written {
  const location = answer.header("location") ?? answer.header("content-location") ?? "";
  const [, fromLocation, version] =
    new RegExp(`(?:^|/)${type}/([^/?#]+)(?:/_history/([^/?#]+))?$`).exec(location) ?? [];
  const fromBody = resourceIn(type, answer)?.["id"];
  const id = [fromLocation, fromBody].find(isId);
  if (id === undefined) {
    throw new SluiceError("system-answer-unknown", "the system accepted the record but did not say under which id");
  }
  return { id, version: versionOf(answer) ?? versionIn(`"${version ?? ""}"`) };
}

function versionOf(answer: FhirAnswer): string | undefined {
  const resource = isJsonObject(answer.body) ? answer.body : {};
  return versionIn(answer.header("etag")) ?? metaText(resource, "versionId");
}

function resourceIn(type: string, answer: FhirAnswer): JsonObject | undefined {
  return isJsonObject(answer.body) && answer.body["resourceType"] === type ? answer.body : undefined;
}
