-- The same for every scenario. Arguments are the tokens of those who send, in turn.

local threads = {}

function setup(thread)
    thread:set("nth", #threads)
    table.insert(threads, thread)
end

function init(args)
    flows = 0
    sent = 0
    tokens = {}
    for i, token in ipairs(args) do
        tokens[i] = "Bearer " .. token
    end
    -- Another run sends other requests.
    math.randomseed(os.time() * 10 + nth)
end

-- The next to send, in turn.
function headers()
    sent = sent + 1
    return { ["Authorization"] = tokens[sent % #tokens + 1], ["Content-Type"] = "application/json" }
end

function id(kind, number)
    return string.format("%s%012d", kind, number)
end

function done(summary, latency)
    local wrong = summary.errors
    local whole = 0
    for _, thread in ipairs(threads) do
        whole = whole + (thread:get("flows") or 0)
    end
    print(string.format(
        'counted {"requests": %d, "seconds": %.6f, "p50": %.4f, "p95": %.4f, "p99": %.4f, "errors": %d, "flows": %d}',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
        latency:percentile(99) / 1e3, wrong.status + wrong.connect + wrong.read + wrong.write + wrong.timeout, whole))
end
