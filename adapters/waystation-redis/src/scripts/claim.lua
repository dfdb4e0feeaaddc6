-- Hands out deliveries under leases, in one step: nothing is ever read without a lease, so that
-- nothing is lost with whoever read it. First what is due is moved into its lane. Then of each
-- lane, priority first, what came back (its lease ran out, or it was handed back), then what is
-- new. Each has a token that no earlier lease had.
--
-- While the normal lane is passed over, one in so many is its; `BASE:passed` counts those that went
-- before it since then.
--
-- KEYS: the queue's base. ARGV: the consumer, how many at most, the lease in milliseconds, the share.
-- Answers: in how many milliseconds there is something to look for (-1: unknown), the last entries
-- of lane, priority lane and `wake`, and the deliveries: lane, entry, token, deliveries, body, and
-- of one with a key when it came and the key.

local base, consumer, lease = KEYS[1], ARGV[1], tonumber(ARGV[3])
local max, share = tonumber(ARGV[2]), tonumber(ARGV[4])
local answer = {}

-- A lane whose group is gone, or was never there, has no leases either.
local function ensure(lane)
  local pending = redis.pcall('XPENDING', lane, GROUP)
  if pending.err then
    redis.call('XGROUP', 'CREATE', lane, GROUP, '0', 'MKSTREAM')
    redis.call('DEL', lane .. ':leases', lane .. ':held')
  end
end

local function promote()
  local delayed = base .. ':delayed'
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', text(now), 'LIMIT', 0, UNPACK_MAX)
  if #due == 0 then
    return
  end
  redis.call('ZREM', delayed, unpack(due))
  for _, member in ipairs(due) do
    let_go(base, member)
  end
end

-- Claims what came back. Where somebody deleted an entry that was the first of its key, the next
-- one moves up.
local function claim(lane, priority, ids, keys)
  local entries = redis.call('XCLAIM', lane, GROUP, consumer, 0, unpack(ids))
  for _, entry in ipairs(entries) do
    if entry and entry[2] then
      keys[entry[1]] = nil
    end
  end
  for id, key in pairs(keys) do
    if is_head(base, priority, key, id) then
      move_up(base, key)
    end
  end
  return entries
end

-- What came back, as pairs of an entry and how often it was handed out; in their order there.
local function returned(lane, priority, left)
  local leases, held = lane .. ':leases', lane .. ':held'
  local tokens = redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, left)
  if #tokens == 0 then
    return {}, {}
  end
  local what = redis.call('HMGET', held, unpack(tokens))
  redis.call('ZREM', leases, unpack(tokens))
  redis.call('HDEL', held, unpack(tokens))
  local ids, deliveries, keys = {}, {}, {}
  for _, one in ipairs(what) do
    local id, count, key = (one or ''):match('^(%S+) (%d+)(.*)$')
    if id then
      ids[#ids + 1] = id
      deliveries[id] = tonumber(count)
      keys[id] = key ~= '' and key:sub(3) or nil
    end
  end
  if #ids == 0 then
    return {}, {}
  end
  table.sort(ids, function(one, other)
    local ms, sequence = one:match('^(%d+)-(%d+)$')
    local other_ms, other_sequence = other:match('^(%d+)-(%d+)$')
    if ms ~= other_ms then
      return tonumber(ms) < tonumber(other_ms)
    end
    return tonumber(sequence) < tonumber(other_sequence)
  end)
  return claim(lane, priority, ids, keys), deliveries
end

-- What somebody else wrote, and is no contract, is kept aside as it is.
local function put_aside(lane, id, fields)
  local reason = 'the entry has no field `body`'
  redis.call('XADD', base .. ':dead', 'MAXLEN', '~', 100000, '*', 'reason', reason, unpack(fields))
  redis.call('XACK', lane, GROUP, id)
  redis.call('XDEL', lane, id)
end

-- Hands out up to so many of a lane; tells how many.
local function take(priority, left)
  if left == 0 then
    return 0
  end
  local lane = lane_of(base, priority)
  ensure(lane)
  local entries, deliveries = returned(lane, priority, left)
  if #entries < left then
    local read = redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', left - #entries,
      'STREAMS', lane, '>')
    for _, entry in ipairs(read and read[1][2] or {}) do
      entries[#entries + 1] = entry
    end
  end
  if #entries == 0 then
    return 0
  end
  local first = numbers(base, #entries)
  local leases, held = {}, {}
  for place, entry in ipairs(entries) do
    -- An entry that somebody deleted is still told of by old servers.
    if entry and entry[2] then
      local id = entry[1]
      local body, key, since = read_entry(entry[2])
      if body then
        local token, count = text(first + place - 1), (deliveries[id] or 0) + 1
        local is_first = key and is_head(base, priority, key, id)
        leases[#leases + 1] = text(now + lease)
        leases[#leases + 1] = token
        held[#held + 1] = token
        held[#held + 1] = id .. ' ' .. count .. (is_first and ' =' .. key or '')
        answer[#answer + 1] =
          { priority, id, token, count, body, is_first and since .. ' ' .. key or '' }
      else
        put_aside(lane, id, entry[2])
      end
    end
  end
  if #held > 0 then
    redis.call('ZADD', lane .. ':leases', unpack(leases))
    redis.call('HSET', lane .. ':held', unpack(held))
  end
  return #held / 2
end

-- Whether the normal lane has anything to hand out.
local function is_passed_over()
  local pending = redis.pcall('XPENDING', base, GROUP)
  local out = pending.err and 0 or pending[1]
  return redis.call('XLEN', base) > out
    or redis.call('ZCOUNT', base .. ':leases', '-inf', text(now)) > 0
end

-- As `Share` of waystation-core decides.
local function take_all()
  local key = base .. ':passed'
  local passed = tonumber(redis.call('GET', key) or '0')
  local due = math.min(math.floor((passed + 1) / share), math.ceil(max / share))
  local first, last = take('1', max - due), 0
  local next_passed = 0
  if first == max - due and is_passed_over() then
    last = take('0', due)
    first = first + take('1', due - last)
    next_passed = math.max(passed + first + last - share * last, 0)
    next_passed = math.min(next_passed, first + last + share - 1)
  else
    take('0', max - first)
  end
  if next_passed > 0 then
    redis.call('SET', key, next_passed)
  elseif passed > 0 then
    redis.call('DEL', key)
  end
end

-- When the next lease runs out, or the next contract is due.
local function next_look()
  local soonest = nil
  for _, key in ipairs({ base .. ':leases', base .. ':priority:leases', base .. ':delayed' }) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[2] then
      soonest = math.min(soonest or math.huge, tonumber(first[2]))
    end
  end
  return soonest and math.max(soonest - now, 1) or -1
end

local function last_of(stream)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  return last[1] and last[1][1] or '0-0'
end

insist(base)
promote()
take_all()
if #answer > 0 then
  return { -1, '', '', '', answer }
end
return { next_look(), last_of(base), last_of(base .. ':priority'), last_of(base .. ':wake'), answer }
