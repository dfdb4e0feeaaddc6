-- How contracts come into a queue, and how those of one key take turns in it.
--
-- Of a queue's contracts with one key one is where claims look, held back or out: the head of the
-- key's line. `BASE:heads` (key -> head) tells where: `+ENTRY`, in the normal lane, and nobody has
-- had it, so that what has priority goes before it; `0ENTRY` and `1ENTRY`, in this lane whoever
-- comes; nothing, while it is held back. The others stand behind it, in nobody's reach, in the lists
-- `BASE:behind:LANE:KEY` (when it came, body); `BASE:behind` counts them. What is first of a key
-- names it in its entry, which counts only where `BASE:heads` says the same: whoever copies the
-- field elsewhere is in no line by that.

-- A number of so many digits, a lane and a body is held back as it was before there were keys. With
-- a key the lane is one of the following, and the key stands before the body, after its length.
local NUMBER_DIGITS = 16
local LAST = { ['0'] = '2', ['1'] = '3' }
local KEPT = { ['0'] = '4', ['1'] = '5' }
local LANE_OF = { ['2'] = '0', ['3'] = '1', ['4'] = '0', ['5'] = '1' }

-- What an entry holds that is ours.
local function read_entry(fields)
  local body, key, since
  for place = 1, #fields, 2 do
    local name, value = fields[place], fields[place + 1]
    if name == 'body' then
      body = body or value
    elseif name == 'key' then
      key = value
    elseif name == 'since' then
      since = value
    end
  end
  return body, key, since
end

-- A key, and whether it keeps the place of what ended: of `last KEY` or `kept KEY`. Nothing has none.
local function read_turn(turn)
  if turn ~= '' then
    return turn:sub(6), turn:sub(1, 4) == 'kept'
  end
end

local function stand_at_head(base, priority, key, since, body, kind)
  local id = redis.call('XADD', lane_of(base, priority), '*', 'body', body, 'key', key, 'since', since)
  redis.call('HSET', base .. ':heads', key, kind .. id)
end

local function count_behind(base, change)
  if redis.call('INCRBY', base .. ':behind', change) <= 0 then
    redis.call('DEL', base .. ':behind')
  end
end

local function stand_behind(base, priority, key, since, body, command)
  redis.call(command, base .. ':behind:' .. priority .. ':' .. key, since .. ' ' .. body)
  count_behind(base, 1)
end

-- Who comes first in a line now, unless nobody does.
local function move_up(base, key)
  for _, priority in ipairs({ '1', '0' }) do
    local first = redis.call('LPOP', base .. ':behind:' .. priority .. ':' .. key)
    if first then
      count_behind(base, -1)
      local space = first:find(' ', 1, true)
      local kind = priority == '0' and '+' or priority
      stand_at_head(base, priority, key, first:sub(1, space - 1), first:sub(space + 1), kind)
      return
    end
  end
  redis.call('HDEL', base .. ':heads', key)
end

-- Comes behind all that have its key, or before them.
local function line_up(base, priority, key, body)
  local head = redis.call('HGET', base .. ':heads', key)
  if not head then
    stand_at_head(base, priority, key, text(now), body, priority == '0' and '+' or priority)
    return
  end
  local id = head:sub(2)
  local there = head ~= '' and redis.call('XRANGE', lane_of(base, head:sub(1, 1)), id, id)[1]
  if there and head:sub(1, 1) == '+' and priority == '1' then
    local first, _, since = read_entry(there[2])
    stand_behind(base, '0', key, since, first, 'LPUSH')
    redis.call('XDEL', base, id)
    stand_at_head(base, '1', key, text(now), body, '1')
    return
  end
  stand_behind(base, priority, key, text(now), body, 'RPUSH')
  if head ~= '' and not there then
    -- Somebody deleted the entry.
    move_up(base, key)
  end
end

-- Whether an entry is the first of the key that it names. It is about to be handed out: from now on
-- nothing goes before it.
local function is_head(base, priority, key, id)
  local head = redis.call('HGET', base .. ':heads', key)
  if priority == '0' and head == '+' .. id then
    redis.call('HSET', base .. ':heads', key, '0' .. id)
    return true
  end
  return head == priority .. id
end

local function hold_back(base, priority, wait, turn, body)
  local delayed = base .. ':delayed'
  local key, is_kept = read_turn(turn)
  local member = text(numbers(base, 1))
  if not key then
    member = member .. priority .. body
  else
    local lanes = is_kept and KEPT or LAST
    member = member .. lanes[priority] .. string.format('%03d', #key) .. key .. body
    if is_kept then
      redis.call('HSET', base .. ':heads', key, '')
    end
  end
  redis.call('ZADD', delayed, text(now + wait), member)
  if redis.call('ZRANGE', delayed, 0, 0)[1] == member then
    wake(base)
  end
end

-- Puts what was held back into its lane, or into its line.
local function let_go(base, member)
  local lane = member:sub(NUMBER_DIGITS + 1, NUMBER_DIGITS + 1)
  local priority = LANE_OF[lane]
  if not priority then
    redis.call('XADD', lane_of(base, lane), '*', 'body', member:sub(NUMBER_DIGITS + 2))
    return
  end
  local first = NUMBER_DIGITS + 5
  local last = first + tonumber(member:sub(NUMBER_DIGITS + 2, first - 1)) - 1
  local key, body = member:sub(first, last), member:sub(last + 1)
  if lane == KEPT[priority] and redis.call('HGET', base .. ':heads', key) == '' then
    stand_at_head(base, priority, key, text(now), body, priority)
  else
    line_up(base, priority, key, body)
  end
end

-- Puts a contract into its lane or its line, or holds it back for so many milliseconds.
local function enqueue(base, priority, wait, turn, body)
  local key, is_kept = read_turn(turn)
  if wait > 0 then
    hold_back(base, priority, wait, turn, body)
  elseif not key then
    redis.call('XADD', lane_of(base, priority), '*', 'body', body)
  elseif is_kept then
    stand_at_head(base, priority, key, text(now), body, priority)
  else
    line_up(base, priority, key, body)
  end
end
