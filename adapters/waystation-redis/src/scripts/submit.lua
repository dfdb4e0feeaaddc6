-- Adds contracts to their queues and events to the journal: all or, when there is no memory, none.
--
-- KEYS: the journal, then the queues' bases.
-- ARGV: `batch` or `each`, and how many contracts; of each its queue's place in KEYS, its lane, how
-- long it is held back and its body; then the events.

local at = 3
for _ = 1, tonumber(ARGV[2]) do
  enqueue(KEYS[tonumber(ARGV[at])], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3])
  at = at + 4
end
local journal = journal_writer(KEYS[1], ARGV[1])
for place = at, #ARGV do
  journal.write(ARGV[place])
end
journal.flush()
return redis.status_reply('OK')
