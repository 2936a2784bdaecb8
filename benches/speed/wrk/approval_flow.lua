-- A draft, its submission, its approval: whatever a response is ready for comes first. Each thread has one author, the
-- first tokens being those of CSOs and the rest those of managers.
local csos = $CSOS
local text = string.rep("It left our warehouse this morning and should be with you tomorrow. ", 4)
local todo = {}

local function signed(token)
    return { ["Authorization"] = token, ["Content-Type"] = "application/json" }
end

function request()
    local author = tokens[nth % csos + 1]
    local step = table.remove(todo)
    if not step then
        -- One that was answered before.
        local inquiry = id("$INQUIRY", math.random(0, $INQUIRIES / 4 - 1) * 4 + 3)
        return wrk.format("POST", "/api/v1/responses", signed(author),
            string.format('{"inquiryId": "%s", "message": "%s"}', inquiry, text))
    end
    sent = sent + 1
    local by = step.action == "submit" and author or tokens[csos + 1 + sent % (#tokens - csos)]
    return wrk.format("POST", "/api/v1/responses/" .. step.id .. "/" .. step.action, signed(by), "{}")
end

function response(status, _, body)
    local which = body:match('"id":"([^"]+)"')
    if status == 201 then
        table.insert(todo, { id = which, action = "submit" })
    elseif status == 200 and body:find('"status":"pending_approval"', 1, true) then
        table.insert(todo, { id = which, action = "approve" })
    elseif status == 200 then
        flows = flows + 1
    end
end
