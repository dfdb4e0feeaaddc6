-- Counts what is in a queue, and changes nothing.
--
-- KEYS: the queue's base. Answers: what is ready, what is held back, what is behind another one of
-- its key, what is out under a lease, when the oldest of what is ready came (-1: there is none), and
-- how many of what is ready have priority.

local base = KEYS[1]
local delayed = redis.call('ZCOUNT', base .. ':delayed', '(' .. text(now), '+inf')
local ready = redis.call('ZCARD', base .. ':delayed') - delayed
local leased, oldest, urgent = 0, nil, 0

local function came(id)
  local at = tonumber(id:match('^(%d+)-'))
  oldest = math.min(oldest or at, at)
end

for _, lane in ipairs({ base, base .. ':priority' }) do
  local leases = lane .. ':leases'
  local pending = redis.pcall('XPENDING', lane, GROUP)
  local out = pending.err and 0 or pending[1]
  local back = redis.call('ZCOUNT', leases, '-inf', text(now))
  local waiting = redis.call('XLEN', lane) - out + back
  ready = ready + waiting
  if lane ~= base then
    urgent = waiting
  end
  leased = leased + redis.call('ZCARD', leases) - back
  if back > 0 then
    local token = redis.call('ZRANGE', leases, 0, 0)[1]
    local held = redis.call('HGET', lane .. ':held', token)
    if held then
      came(held:match('^(%S+)'))
    end
  end
  local after = '-'
  if not pending.err then
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', lane)) do
      if group[2] == GROUP then
        after = '(' .. group[8]
      end
    end
  end
  local first = redis.call('XRANGE', lane, after, '+', 'COUNT', 1)[1]
  if first then
    came(first[1])
  end
end
local behind = tonumber(redis.call('GET', base .. ':behind') or '0')
return { ready, delayed, behind, leased, oldest or -1, urgent }
