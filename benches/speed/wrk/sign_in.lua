-- A sign-in of some CSO.
function request()
    local body = string.format('{"email": "cso-%d@example.com", "password": "$PASSWORD"}', math.random(0, $CSOS - 1))
    return wrk.format("POST", "/api/v1/auth/login", { ["Content-Type"] = "application/json" }, body)
end
