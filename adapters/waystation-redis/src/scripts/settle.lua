-- Settles deliveries whose leases still hold, in one step: what goes on is in its queue, what
-- happened is in the journal, and the delivery is gone. One whose token is not the newest is left
-- alone, and answered with 0.
--
-- KEYS: the journal, then the queues' bases. ARGV: `batch` or `each`, and how many settlements;
-- then of each its queue's place in KEYS, its lane, its token, and what becomes of it:
--   next QUEUE LANE WAIT TURN BODY  it goes into a queue
--   back                            it returns to its place, uncounted
--   dead BODY REASON                it ends, and a copy lies with the dead letters
--   end                             it ends
-- and then how many events there are, and they. A turn is nothing, `last KEY` or `kept KEY`.

local journal = journal_writer(KEYS[1], ARGV[1])
local at = 3
local function argument()
  at = at + 1
  return ARGV[at - 1]
end

-- It is free to be taken again, and stands where it stood: before whatever is new, and among what
-- came back in the order of its coming.
local function give_back(base, lane, id, deliveries, turn)
  local token = text(numbers(base, 1))
  local ms, sequence = id:match('^(%d+)-(%d+)$')
  local place = math.min(tonumber(ms), now - 1) + math.min(tonumber(sequence), 4000) / 4096
  redis.call('HSET', lane .. ':held', token, id .. ' ' .. (tonumber(deliveries) - 1) .. turn)
  redis.call('ZADD', lane .. ':leases', string.format('%.6f', place), token)
  wake(base)
end

-- By lane: the tokens that end, and the entries that go.
local tokens, entries, settled = {}, {}, {}
local answers = {}
local function close(lane, token)
  if settled[lane .. token] then
    return nil
  end
  local held = redis.call('HGET', lane .. ':held', token)
  if not held then
    return nil
  end
  settled[lane .. token] = true
  tokens[lane] = tokens[lane] or {}
  table.insert(tokens[lane], token)
  return held:match('^(%S+) (%d+)(.*)$')
end

-- It goes into a queue, after whoever stood behind it: unless it keeps its place.
local function forward(base, key, to, priority, wait, turn, body)
  local next_key, is_kept = read_turn(turn)
  if is_kept and not (key == next_key and to == base) then
    turn, is_kept = 'last ' .. next_key, false
  end
  if key and not is_kept then
    move_up(base, key)
  end
  enqueue(to, priority, wait, turn, body)
end

local function go(lane, id)
  entries[lane] = entries[lane] or {}
  table.insert(entries[lane], id)
end

if KEYS[2] then
  insist(KEYS[2])
end
for place = 1, tonumber(ARGV[2]) do
  local base, priority, token, becomes =
    KEYS[tonumber(argument())], argument(), argument(), argument()
  local lane = lane_of(base, priority)
  local id, deliveries, turn = close(lane, token)
  local key = id and turn ~= '' and turn:sub(3) or nil
  if becomes == 'next' then
    local to, to_priority, wait, to_turn, body =
      KEYS[tonumber(argument())], argument(), tonumber(argument()), argument(), argument()
    if id then
      forward(base, key, to, to_priority, wait, to_turn, body)
    end
  elseif becomes == 'dead' then
    local body, reason = argument(), argument()
    if id then
      redis.call('XADD', base .. ':dead', 'MAXLEN', '~', 100000, '*', 'reason', reason, 'body', body)
    end
  elseif becomes == 'back' and id then
    give_back(base, lane, id, deliveries, turn)
  end
  if key and (becomes == 'end' or becomes == 'dead') then
    move_up(base, key)
  end
  if id and becomes ~= 'back' then
    go(lane, id)
  end
  for _ = 1, tonumber(argument()) do
    local event = argument()
    if id then
      journal.write(event)
    end
  end
  answers[place] = id and 1 or 0
end
journal.flush()
for lane, list in pairs(entries) do
  each_chunk(list, function(...)
    redis.call('XACK', lane, GROUP, ...)
    redis.call('XDEL', lane, ...)
  end)
end
for lane, list in pairs(tokens) do
  each_chunk(list, function(...)
    redis.call('HDEL', lane .. ':held', ...)
    redis.call('ZREM', lane .. ':leases', ...)
  end)
end
return answers
