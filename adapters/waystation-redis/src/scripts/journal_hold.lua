-- Makes the lock of a reader last, or lets it go when it is to last for no time. The lock of
-- another one is left alone.
--
-- KEYS: the lock. ARGV: the reader, the milliseconds. Answers: 1 or 0.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  return redis.call('DEL', KEYS[1])
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
