// What an application of the Fetch standard is. Control plane.

/** What frameworks such as Hono export: an object with this method. */
export interface FetchApp {
  fetch(request: globalThis.Request): globalThis.Response | Promise<globalThis.Response>;
}

export function isFetchApp(value: unknown): value is FetchApp {
  const isObject = typeof value === 'object' || typeof value === 'function';
  return isObject && value !== null && typeof (value as Partial<FetchApp>).fetch === 'function';
}
