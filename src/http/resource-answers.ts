import type { TSchema } from 'typebox';
import type { Outcome } from '../identity/change.ts';
import { GatewayError } from '../std/errors.ts';
import type { ResponseDefinition, Route } from './route.ts';

// Answers of the routes by which an operator sets what the same path then shows.

export function json(description: string, schema: TSchema): ResponseDefinition {
  return { description, media: { 'application/json': schema } };
}

export function putResponses(schema: TSchema): Route['responses'] {
  return { 200: json('It was there; as it is now.', schema), 201: json('Created.', schema) };
}

/**
 * 201 or 200 with the resource. `pathMember`: the member of the verb's input that came from the path; findings in it point
 * there. `location`: where a POST has put it.
 */
export async function answer<R>(
  outcome: Promise<Outcome<R>>,
  pathMember: string,
  location?: (resource: R) => string,
): Promise<Response> {
  const { created, resource } = await outcome.catch((error: unknown) => {
    throw pointingIntoPath(error, pathMember);
  });
  return Response.json(resource, {
    status: created ? 201 : 200,
    headers: location === undefined ? {} : { Location: location(resource) },
  });
}

function pointingIntoPath(error: unknown, pathMember: string): unknown {
  if (!(error instanceof GatewayError) || error.details.errors === undefined) return error;
  const errors = error.details.errors.map((violation) =>
    violation.pointer === pathMember ? { ...violation, pointer: `/path${pathMember}` } : violation,
  );
  return new GatewayError(error.code, { ...error.details, errors });
}
