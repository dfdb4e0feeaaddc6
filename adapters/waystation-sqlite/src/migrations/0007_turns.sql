-- Messages of one queue and one key, one at a time. `key` is told of all that have one, `turn` of
-- those that stand in line: the one at the head is ready, leased, held back or gathering, as if it
-- had no key, and the others are behind it, in a sixth state, 5, where no claim looks. A line is in
-- the order of rank and turn. The turn 0 is of one that keeps the place of the message that it came
-- of: none goes before it, whatever its rank.
ALTER TABLE message ADD COLUMN key TEXT;
ALTER TABLE message ADD COLUMN turn INTEGER;
-- Unique, so that no mistake of ours can let two of a key run.
CREATE UNIQUE INDEX message_head ON message (queue, key) WHERE turn IS NOT NULL AND state <> 5;
CREATE INDEX message_behind ON message (queue, key, rank, turn) WHERE state = 5;
