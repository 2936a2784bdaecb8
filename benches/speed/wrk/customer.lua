-- One customer after the other by id, none twice before each was asked for once.
local count = $CUSTOMERS
local start
local asked = 0

function request()
    start = start or math.random(0, count - 1)
    -- Each thread goes its own way.
    asked = asked + 2
    return wrk.format("GET", "/api/v1/customers/" .. id("$CUSTOMER", (start + asked + nth) % count), headers())
end
