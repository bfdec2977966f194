-- For wrk: every write carries `depth` requests (default 16), and wrk waits for as many responses.
--
--     wrk ... -s pipeline.lua URL -- DEPTH
--
-- wrk counts the requests in what `request` answers by itself.

local batch

function init(args)
  local depth = tonumber(args[1]) or 16
  batch = string.rep(wrk.format('GET'), depth)
end

function request()
  return batch
end
