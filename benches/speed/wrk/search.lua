-- Customers by a word that 25 of them have.
local firms = $CUSTOMERS / 25

function request()
    return wrk.format("GET", string.format("/api/v1/customers?q=firm%07d", math.random(0, firms - 1)), headers())
end
