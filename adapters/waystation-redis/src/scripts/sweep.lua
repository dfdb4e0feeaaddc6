-- Forgets consumers of a queue that have nothing and have not been heard of for so long; what a
-- process that crashed leaves behind. One that still has something is kept: its entries go with it.
--
-- KEYS: the queue's base. ARGV: the milliseconds, and a consumer that goes whatever it heard.

for _, lane in ipairs({ KEYS[1], KEYS[1] .. ':priority' }) do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', lane, GROUP)
  for _, consumer in ipairs(consumers.err and {} or consumers) do
    local name, pending, idle = consumer[2], consumer[4], consumer[6]
    if pending == 0 and (name == ARGV[2] or idle > tonumber(ARGV[1])) then
      redis.call('XGROUP', 'DELCONSUMER', lane, GROUP, name)
    end
  end
end
return redis.status_reply('OK')
