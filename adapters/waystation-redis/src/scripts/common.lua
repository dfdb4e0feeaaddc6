-- What the scripts share; it stands before each of them.
--
-- A queue is named by its base, `PREFIXqueue:NAME`. Of it follow the lanes `BASE` and
-- `BASE:priority`, which are streams; beside each lane `LANE:leases` (token -> deadline) and
-- `LANE:held` (token -> entry, deliveries and ` =KEY`); and `BASE:delayed`, `BASE:dead`, `BASE:wake`
-- and `BASE:sequence`; lines.lua tells of `BASE:heads` and `BASE:behind`. Time is the server's.

local GROUP = 'workers'
-- Lua's `unpack` fills a stack of limited size.
local UNPACK_MAX = 1000

local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)

-- Whole numbers above 2^31 are not written as such by Lua itself.
local function text(number)
  return string.format('%.0f', number)
end

local function lane_of(base, priority)
  if priority == '1' then
    return base .. ':priority'
  end
  return base
end

-- The first of so many numbers of a queue. They grow, and none is given twice even by a server
-- that forgot the last ones.
local function numbers(base, count)
  local key = base .. ':sequence'
  local last = tonumber(redis.call('GET', key) or '0')
  local first = math.max(last + 1, micros)
  redis.call('SET', key, text(first + count - 1))
  return first
end

-- Wakes whoever waits, to look at what did not come into a stream.
local function wake(base)
  redis.call('XADD', base .. ':wake', 'MAXLEN', 1, '*', 'at', text(now))
end

-- Redis refuses a script only when its first write may need memory. Taking and settling free it in
-- the end, so they begin with a write that needs none.
local function insist(base)
  redis.call('HDEL', base .. ':held', '')
end

-- Calls a command on many members, a limited number at a time.
local function each_chunk(members, call)
  for first = 1, #members, UNPACK_MAX do
    call(unpack(members, first, math.min(first + UNPACK_MAX - 1, #members)))
  end
end

-- Writes events to the journal: lists of limited length where `mode` is `batch`, one each otherwise.
-- `flush` writes what is left.
local BATCH_EVENTS_MAX = 500
local BATCH_BYTES_MAX = 1024 * 1024

local function journal_writer(key, mode)
  local post, bytes = {}, 0
  local writer = {}
  function writer.flush()
    if #post > 0 then
      redis.call('XADD', key, '*', 'body', '[' .. table.concat(post, ',') .. ']')
      post, bytes = {}, 0
    end
  end
  function writer.write(event)
    if mode ~= 'batch' then
      redis.call('XADD', key, '*', 'body', event)
      return
    end
    if #post == BATCH_EVENTS_MAX or bytes + #event > BATCH_BYTES_MAX then
      writer.flush()
    end
    post[#post + 1] = event
    bytes = bytes + #event
  end
  return writer
end
