-- Who may go out now, and what platforms said: one atomic step over all windows and breakers of a batch.
--
-- KEYS: the windows', then the breakers', then the index of open breakers. ARGV[1] and the answer: MessagePack, see
-- quotas.py, whose local twin says the same in Python. All times are milliseconds of Redis's own clock.
--
-- A window is {allowed, told_until, line_at, line_here, line_all, gone_1, taken_1, gone_2, taken_2, ...}: what the
-- platform said it still allows until then; the last instant promised to somebody refused, how many have that one and
-- how many a promise at all; and what was taken, with the instant when it counts no more. At most 101 pairs: takes
-- within a hundredth of a window share one, which counts until the last of them is old, so that no window of the
-- platform, wherever it begins, ever holds more than its limit.
local ask = cmsgpack.unpack(ARGV[1])
local now = ask.now
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local windows, breakers = ask.windows, ask.breakers
local index = KEYS[#KEYS]
local TRIP, WITHIN, FIRST, LONGEST, RAMP, DOUBLES, RAMP_ENDS, STALE = unpack(ask.breaking)
local changes = {}

local function window(i)
  local w = windows[i]
  if w.gone then return w end
  local stored = redis.call('GET', KEYS[i])
  local s = stored and cmsgpack.unpack(stored) or {0, 0, 0, 0, 0}
  w.limit, w.span, w.grain, w.group = w[1], w[2], w[3], w[4]
  w.allowed, w.told_until, w.line_at, w.line_here, w.line_all = s[1], s[2], s[3], s[4], s[5]
  w.gone, w.taken, w.used = {}, {}, 0
  for k = 6, #s, 2 do
    if s[k] > now then
      w.gone[#w.gone + 1] = s[k]
      w.taken[#w.taken + 1] = s[k + 1]
      w.used = w.used + s[k + 1]
    end
  end
  return w
end

-- The instant from which one more fits; 0: now.
local function fits_at(w)
  local at = 0
  if w.told_until > now and w.allowed < 1 then at = w.told_until end
  local over, k = w.used + 1 - w.limit, 1
  while over > 0 and w.gone[k] do
    over = over - w.taken[k]
    if over <= 0 and w.gone[k] > at then at = w.gone[k] end
    k = k + 1
  end
  return at
end

local function free_at(w, at)
  local free = w.limit - w.used
  for k = 1, #w.gone do
    if w.gone[k] <= at then free = free + w.taken[k] end
  end
  return free
end

-- The instant promised to one who was refused: the first gets the first that is possible, those behind it later ones.
local function promise(w, at)
  if w.line_at < at or w.line_at <= now then
    w.line_at, w.line_here, w.line_all = at, 1, 1
  elseif w.line_here < w.group and w.line_all < free_at(w, w.line_at) then
    w.line_here, w.line_all = w.line_here + 1, w.line_all + 1
  else
    w.line_at, w.line_all = w.line_at + math.ceil(w.line_here * w.span / w.limit), w.line_all + 1
    w.line_here = 1
  end
  w.dirty = true
  return w.line_at
end

local function take(w)
  if w.told_until > now then w.allowed = w.allowed - 1 end
  local gone = (math.floor(now / w.grain) + 1) * w.grain - 1 + w.span
  local last = #w.gone
  if last > 0 and w.gone[last] >= gone then
    w.taken[last] = w.taken[last] + 1
  else
    w.gone[last + 1], w.taken[last + 1] = gone, 1
  end
  w.used, w.dirty = w.used + 1, true
end

local function breaker(i)
  local b = breakers[i]
  if b.phase then return b end
  local stored = redis.call('GET', KEYS[#windows + i])
  b.phase = 'shut'
  if stored then
    for name, value in pairs(cmsgpack.unpack(stored)) do b[name] = value end
  end
  if b.phase == 'ramp' and now >= b.since + RAMP_ENDS then
    changes[#changes + 1] = {i - 1, 'closed', 0}
    b.phase, b.failed, b.dirty = 'shut', nil, true
  end
  return b
end

local function open(b, i)
  b.interval = b.interval and math.min(b.interval * 2, LONGEST) or FIRST
  b.phase, b.probe, b.failed, b.dirty = 'open', '', nil, true
  b.at = now + math.floor(b.interval * (0.8 + 0.4 * ask.jitter))
  changes[#changes + 1] = {i - 1, 'opened', b.at - now}
end

-- 0: this one may pass. Else when, and whether that is promised to nobody else.
local function passes_at(b)
  if b.phase == 'open' then return now >= b.at and 0 or b.at end
  if b.phase ~= 'ramp' or b.let < RAMP * 2 ^ ((now - b.since) / DOUBLES) then return 0 end
  b.promised, b.dirty = b.promised + 1, true
  local after = DOUBLES * math.log((b.let + b.promised) / RAMP) / math.log(2)
  return math.max(now + 1, math.min(b.since + math.ceil(after), b.since + RAMP_ENDS))
end

local function pass(b, id)
  if b.phase == 'open' then
    b.probe, b.at, b.dirty = id, now + math.floor(b.interval * (0.8 + 0.4 * ask.jitter)), true
  elseif b.phase == 'ramp' then
    b.let, b.promised, b.dirty = b.let + 1, math.max(0, b.promised - 1), true
  end
end

-- What platforms said: {window, allowed, for so many milliseconds}. An answer may be older than another, or of another
-- of the platform's own windows: the strictest counts until it is over, and the next answers tell of the rest.
for _, told in ipairs(ask.told) do
  local w = window(told[1] + 1)
  local till = now + told[3]
  if w.told_until <= now or told[2] < w.allowed then
    w.allowed, w.told_until = told[2], till
  elseif told[2] == w.allowed then
    w.told_until = math.max(till, w.told_until)
  end
  w.dirty = true
end

-- What was taken while this Redis was away: {window, how many}.
for _, owed in ipairs(ask.owed) do
  local w = window(owed[1] + 1)
  for _ = 1, owed[2] do take(w) end
end

-- How attempts went: {breaker, whether one was answered, {account, publication, account, publication, ...} that failed}.
for _, heard in ipairs(ask.health) do
  local i, well, failed = heard[1] + 1, heard[2], heard[3]
  local b = breaker(i)
  if well then
    if b.phase == 'open' then
      b.phase, b.since, b.let, b.promised = 'ramp', now, 0, 0
      changes[#changes + 1] = {i - 1, 'resumed', 0}
    end
    if b.failed or b.phase == 'ramp' then b.failed, b.dirty = nil, true end
  elseif b.phase == 'open' then
    for k = 2, #failed, 2 do
      if failed[k] == b.probe then
        open(b, i)
        break
      end
    end
  else
    local known = (b.failed and now < b.failed_until) and b.failed or {}
    for k = 1, #failed, 2 do
      local new = true
      for _, account in ipairs(known) do new = new and account ~= failed[k] end
      if new and #known < TRIP then known[#known + 1] = failed[k] end
    end
    b.failed, b.failed_until, b.dirty = known, now + WITHIN, true
    if #known >= TRIP then open(b, i) end
  end
end

-- Who asks: {id, breaker or -1, window, window, ...}. Nothing is taken for one that is refused.
local refused = {}
for n, one in ipairs(ask.takes) do
  local b = one[2] >= 0 and breaker(one[2] + 1) or nil
  local at = b and passes_at(b) or 0
  if at > 0 then
    refused[#refused + 1] = {n - 1, at - now, -1}
  else
    local by
    for k = 3, #one do
      local fits = fits_at(window(one[k] + 1))
      if fits > at then at, by = fits, one[k] end
    end
    if by then
      refused[#refused + 1] = {n - 1, promise(windows[by + 1], at) - now, by}
    else
      for k = 3, #one do take(windows[one[k] + 1]) end
      if b then pass(b, one[1]) end
    end
  end
end

for i, w in ipairs(windows) do
  if w.dirty then
    local s = {w.allowed, w.told_until, w.line_at, w.line_here, w.line_all}
    for k = 1, #w.gone do s[#s + 1] = w.gone[k]; s[#s + 1] = w.taken[k] end
    local last = math.max(w.told_until, w.line_at, w.gone[#w.gone] or 0)
    if last > now then redis.call('SET', KEYS[i], cmsgpack.pack(s), 'PX', last - now) end
  end
end
for i, b in ipairs(breakers) do
  local key = KEYS[#windows + i]
  if b.dirty then
    if b.phase == 'shut' and not b.failed then
      redis.call('DEL', key)
    else
      local life = b.phase == 'shut' and WITHIN or STALE
      redis.call('SET', key, cmsgpack.pack({
        phase = b.phase, since = b.since, at = b.at, interval = b.interval, probe = b.probe,
        let = b.let, promised = b.promised, failed = b.failed, failed_until = b.failed_until,
      }), 'PX', life)
    end
    if b.phase == 'shut' then
      redis.call('ZREM', index, key)
    else
      redis.call('ZREMRANGEBYSCORE', index, '-inf', now) -- of those that nobody has asked for so long
      redis.call('ZADD', index, now + STALE, key)
      redis.call('PEXPIRE', index, STALE)
    end
  end
end
return cmsgpack.pack({refused, changes})
