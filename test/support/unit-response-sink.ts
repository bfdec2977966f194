// Who a response tells of itself, where nobody is interested.

import type { ResponseSink } from '../../src/app/bound-response.ts';

export const RESPONSE_SINK: ResponseSink = {
  headOnly: false,
  onResponse: () => {},
  onRejected: () => {},
  upgradeTo: () => {
    throw new Error('nothing is upgraded');
  },
};
