// What a route does with a request. Types only.

import type { Request } from './request.ts';
import type { Response } from './response.ts';

/**
 * Answers a request in the accept thread. It ends the response before it returns, which is the fast
 * path; or later, and may answer with a promise of when it is done.
 */
export type Handler = (request: Request, response: Response) => void | Promise<void>;
