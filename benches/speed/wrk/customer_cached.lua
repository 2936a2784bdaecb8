-- The same few customers.
function request()
    return wrk.format("GET", "/api/v1/customers/" .. id("$CUSTOMER", math.random(0, 499)), headers())
end
