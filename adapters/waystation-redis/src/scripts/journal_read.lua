-- Reads posts for the one reader that holds the lock, which it takes when it is free and makes last
-- otherwise. A new reader begins with what the one before it did not end, in the old order: all
-- readers are the same consumer of the group.
--
-- KEYS: the journal, its lock. ARGV: the reader, how long the lock lasts, how many posts, and the
-- last entry that the reader got. What was read after it and not ended comes again: the answer that
-- brought it was lost. Answers: 0 and how long the lock of another one lasts; or 1, whether the
-- reader is new, and the posts: entry and body.

local key, lock, reader, after = KEYS[1], KEYS[2], ARGV[1], ARGV[4]
local owner = redis.call('GET', lock)
if owner and owner ~= reader then
  return { 0, redis.call('PTTL', lock) }
end
-- Needs no memory, so that the journal is read when there is none.
redis.call('DEL', lock)
redis.call('SET', lock, reader, 'PX', ARGV[2])
if not owner then
  after = '0-0'
end

local function read(from)
  return redis.pcall('XREADGROUP', 'GROUP', 'tracker', 'tracker', 'COUNT', ARGV[3],
    'STREAMS', key, from)
end

local posts = {}
local function collect(from)
  local found = read(from)
  if found and found.err then
    redis.call('XGROUP', 'CREATE', key, 'tracker', '0', 'MKSTREAM')
    found = read(from)
  end
  for _, entry in ipairs(found and found[1] and found[1][2] or {}) do
    local fields, body = entry[2] or {}, ''
    for place = 1, #fields, 2 do
      if fields[place] == 'body' then
        body = fields[place + 1]
      end
    end
    posts[#posts + 1] = { entry[1], body }
  end
end

collect(after)
if #posts == 0 then
  collect('>')
end
return { 1, owner and 0 or 1, posts }
