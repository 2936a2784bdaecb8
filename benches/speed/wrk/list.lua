-- One page of a list.
function request()
    return wrk.format("GET", "$PATH", headers())
end
