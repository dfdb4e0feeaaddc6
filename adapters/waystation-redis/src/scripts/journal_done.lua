-- Ends posts, if the reader still holds the lock; otherwise they stay for the one that does. What
-- cannot be read is kept aside with the reason; so is a part of a post, whose entry is 0-0.
--
-- KEYS: the journal, its lock. ARGV: the reader, how many posts that cannot be read, of each of
-- these entry, body and reason; then the entries of the others. Answers: 1 or 0.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
local at = 3
local done = {}
-- Needs no memory, so that the journal is emptied when there is none.
redis.call('XACK', KEYS[1], 'tracker', '0-0')
for _ = 1, tonumber(ARGV[2]) do
  redis.call('XADD', KEYS[1] .. ':dead', 'MAXLEN', '~', 100000, '*',
    'reason', ARGV[at + 2], 'body', ARGV[at + 1])
  done[#done + 1] = ARGV[at]
  at = at + 3
end
for place = at, #ARGV do
  done[#done + 1] = ARGV[place]
end
each_chunk(done, function(...)
  redis.call('XACK', KEYS[1], 'tracker', ...)
  redis.call('XDEL', KEYS[1], ...)
end)
return 1
