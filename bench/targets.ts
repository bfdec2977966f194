// What the servers of the benchmark are asked for: paths, sizes in bytes, the browser's request.
// Control plane, like everything in bench/.

export const EMPTY_PATH = '/test/fast';
export const SMALL_PATH = '/files/10k';
export const LARGE_PATH = '/files/1m';
export const UPLOAD_PATH = '/upload';
export const JSON_PATH = '/users/42';
export const BROWSER_PATH = '/articles/latest';

export const SMALL_SIZE = 10 * 1024;
export const LARGE_SIZE = 1024 * 1024;
export const UPLOAD_SIZE = 64 * 1024;

export const USER = { id: 42, name: 'Ada', roles: ['admin', 'author'] };
export const USER_SIZE: number = JSON.stringify(USER).length;

export type FieldLine = readonly [name: string, value: string];

/** Like what a browser sends: with the request line about 500 bytes. */
export const BROWSER_TARGET = `${BROWSER_PATH}?page=2&order=newest`;
export const BROWSER_FIELDS: readonly FieldLine[] = [
  ['Host', 'www.example.com'],
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
  ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['Accept-Language', 'en-GB,en;q=0.7,de;q=0.3'],
  ['Accept-Encoding', 'gzip, deflate, br, zstd'],
  ['Connection', 'keep-alive'],
  ['Referer', 'https://www.example.com/articles'],
  ['Cookie', 'session=8d1f0c6a2b7e4f93; theme=dark; consent=1'],
  ['Upgrade-Insecure-Requests', '1'],
  ['If-None-Match', '"5f2c-61a7d0b3c4e80"'],
];
