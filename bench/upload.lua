-- For wrk: every request is a POST with a body of `size` bytes (default 65536).
--
--     wrk ... -s upload.lua URL -- SIZE
--
-- wrk forms the request once, after `init`.

function init(args)
  wrk.method = 'POST'
  wrk.body = string.rep('x', tonumber(args[1]) or 65536)
end
