-- With the head of a line those directly behind it may be handed out: a run. They are in a seventh
-- state then, 6, out behind it: leased, with a `due` and a `token`, but not at the head. The first of
-- them is leased as if it had no key once all before it have left; until then `deliveries` does not
-- count that it is out.
CREATE INDEX message_out ON message (queue, key, rank, (coalesce(turn, message_id)))
    WHERE state = 6;
