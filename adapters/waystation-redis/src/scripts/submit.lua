-- Adds contracts to their queues and events to the journal: all or, when there is no memory, none.
--
-- KEYS: the journal, then the queues' bases.
-- ARGV: `batch` or `each`, and how many contracts; of each its queue's place in KEYS, its lane, how
-- long it is held back, its turn and its body; then the events.

local at = 3
for _ = 1, tonumber(ARGV[2]) do
  local base, priority, wait = KEYS[tonumber(ARGV[at])], ARGV[at + 1], tonumber(ARGV[at + 2])
  -- Nothing ends here whose place could be kept.
  local turn = ARGV[at + 3]:gsub('^kept', 'last')
  enqueue(base, priority, wait, turn, ARGV[at + 4])
  at = at + 5
end
local journal = journal_writer(KEYS[1], ARGV[1])
for place = at, #ARGV do
  journal.write(ARGV[place])
end
journal.flush()
return redis.status_reply('OK')
