-- An inquiry of some customer.
local text = string.rep("My order was due on Monday and the tracking page has not changed since. ", 4)

function request()
    local body = string.format('{"customerId": "%s", "subject": "Where is my order?", "message": "%s"}',
        id("$CUSTOMER", math.random(0, $CUSTOMERS - 1)), text)
    return wrk.format("POST", "/api/v1/inquiries", headers(), body)
end
