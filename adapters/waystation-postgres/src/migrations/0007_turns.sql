-- Messages of one queue and one key, one at a time. Of those that can be received one is at the
-- head: it is ready or leased, as if it had no key. The others are behind it, in a sixth state, 5,
-- where no claim looks, in the order of rank and turn. The turn is the message's number, unless
-- `turn` tells another one: that of a message which was held back and came into line late, or 0.
-- That is of one that keeps the place of the message that it came of: it is at the head also while
-- it is held back or waits for children, and none goes before it, whatever its rank.
ALTER TABLE message ADD COLUMN key text;
ALTER TABLE message ADD COLUMN turn bigint;
-- Unique, so that no mistake of ours can let two of a key run.
CREATE UNIQUE INDEX message_head ON message (queue, key)
    WHERE key IS NOT NULL AND (state < 2 OR turn = 0 AND state IN (2, 4));
CREATE INDEX message_behind ON message (queue, key, rank, (coalesce(turn, message_id)))
    WHERE state = 5;
