-- Posts 10,000 distinct messages in turn; the same script serves every server that is compared.
-- Environment: TOKEN (a bearer token of app 1), TOKENS_FILE (a line "APP TOKEN" an app, instead), EXTRA (fields added to each message),
-- DIALECT (json, kannel), BATCH (messages a request).
local distinct = 10000
local batch = tonumber(os.getenv("BATCH") or "1")
local dialect = os.getenv("DIALECT") or "json"
local requests = {}
local position = 0

local function message(i)
  return string.format(
    '{"to":"+9989%08d","from":"MYBRAND","text":"Your order %d is on its way and arrives today between 14:00 and 16:00.",'
      .. '"reference":"order-%d","class":"transactional"%s}',
    i * 7919 % 100000000, i, i, os.getenv("EXTRA") or "")
end

local function kannel(i)
  return wrk.format("GET", string.format(
    "/cgi-bin/sendsms?username=bench&password=bench&from=MYBRAND&to=%%2B9989%08d&dlr-mask=%s"
      .. "&text=Your+order+%d+is+on+its+way+and+arrives+today+between+14:00+and+16:00.",
    i * 7919 % 100000000, os.getenv("DLR_MASK") or "0", i), {}, nil)
end

local function senders()
  local path = os.getenv("TOKENS_FILE") or ""
  if path == "" then return { { "1", os.getenv("TOKEN") or "none" } } end
  local found = {}
  for line in io.lines(path) do
    local app, token = line:match("(%d+) (%S+)")
    found[#found + 1] = { app, token }
  end
  return found
end

function init(args)
  local apps = senders()
  for i = 1, distinct / batch do
    local sender = apps[(i - 1) % #apps + 1]
    local headers = {
      ["Content-Type"] = "application/json",
      ["Authorization"] = "Bearer " .. sender[2],
      ["X-App-ID"] = sender[1],
    }
    if dialect == "kannel" then
      requests[i] = kannel(i)
    elseif batch == 1 then
      requests[i] = wrk.format("POST", "/v1/messages", headers, message(i))
    else
      local messages = {}
      for k = 1, batch do messages[k] = message((i - 1) * batch + k) end
      local body = '{"messages":[' .. table.concat(messages, ",") .. "]}"
      requests[i] = wrk.format("POST", "/v1/messages:batch", headers, body)
    end
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d,'
      .. '"status_errors":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(90),
    latency:percentile(99), latency:percentile(99.9), latency.max, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
