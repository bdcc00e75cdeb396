-- What wrk sends, each request made as it goes out; and what came of them, as a last line of JSON.
--
--   wrk … -s wrk.lua URL -- METHOD FIRST WRAP PATH BODY
--
-- %n in PATH and BODY is a number: FIRST, the next, and so on, back at FIRST after WRAP of them (0: never). BODY is a file, or
-- - for none. One thread of wrk's, or numbers come twice.

local method, first, wrap, path, body
local headers = { ["content-type"] = "application/json" }
local sent = 0

function init(args)
  method, first, wrap, path = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
  if args[5] == "-" then return end
  local file = assert(io.open(args[5]))
  body = file:read("*a")
  file:close()
end

function request()
  local number = tostring(first + (wrap > 0 and sent % wrap or sent))
  sent = sent + 1
  local text = body and body:gsub("%%n", number)
  return wrk.format(method, (path:gsub("%%n", number)), text and headers, text)
end

-- Of this process, in ms: behind the name, in the 12th and 13th field, hundredths of a second.
local function processorMs()
  local file = io.open("/proc/self/stat")
  if not file then return 0 end
  local fields = {}
  for field in file:read("*a"):match("%) (.*)"):gmatch("%S+") do fields[#fields + 1] = field end
  file:close()
  return 10 * (fields[12] + fields[13])
end

function done(summary)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('\n{"good":%d,"seconds":%f,"bad":%d,"processorMs":%d}\n',
    summary.requests - errors.status, summary.duration / 1e6, bad, processorMs()))
end
