-- One key holds the times, in microseconds and oldest first, at which it was let in: ARGV[1] of them at most, so that a
-- flood costs no memory. The time is Redis's own, unless ARGV[3] tells it (tests of the rule itself).
local most, within = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(ARGV[3])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local last = tonumber(redis.call('LINDEX', KEYS[1], -1))
if last and last > now then now = last end -- a clock that was set back lets nobody in twice
local oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
while oldest and oldest <= now - within do
  redis.call('LPOP', KEYS[1])
  oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
end
local count = redis.call('LLEN', KEYS[1])
if count >= most then return {0, 0, oldest + within - now, now} end
redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(within / 1000))
return {1, most - count - 1, (oldest or now) + within - now, now}
