-- Makes leases last from now for so many milliseconds, where their tokens are still the newest.
--
-- KEYS: the queues' bases. ARGV: the milliseconds; of each lease its queue's place in KEYS, its
-- lane and its token. Answers: 1 or 0 for each.

local deadline = text(now + tonumber(ARGV[1]))
local answers = {}
insist(KEYS[1])
for at = 2, #ARGV, 3 do
  local lane, token = lane_of(KEYS[tonumber(ARGV[at])], ARGV[at + 1]), ARGV[at + 2]
  local holds = redis.call('HEXISTS', lane .. ':held', token)
  if holds == 1 then
    redis.call('ZADD', lane .. ':leases', deadline, token)
  end
  answers[#answers + 1] = holds
end
return answers
