-- Refuses what is not a JSON object before it is transcoded: Envoy's transcoder tolerates trailing commas and single quotes.
local function refusal(handle)
  local body = handle:body(true)
  local verdict = handle:streamInfo():dynamicMetadata():get("meshflow") or {}
  if verdict["size"] ~= nil then
    return "413", "too large"
  end
  local headers = handle:headers()
  local content_type = headers:get("content-type")
  local encoding = headers:get("content-encoding")
  if content_type == nil and headers:get("origin") ~= nil then
    return "415", "a request from a browser needs content-type: application/json"
  end
  if content_type ~= nil and not content_type:lower():find("^application/json%s*$")
     and not content_type:lower():find("^application/json%s*;") then
    return "415", "the content-type of the body must be application/json"
  end
  if encoding ~= nil and encoding:lower() ~= "identity" then
    return "415", "compressed request bodies are not supported; send the body without content-encoding"
  end
  if verdict["json"] == "malformed" then
    return "400", "the request body is not valid JSON, or is nested too deeply"
  end
  local first = body:getBytes(0, math.min(body:length(), 256)):match("^%s*(.)")
  if first ~= nil and first ~= "{" then
    return "400", "the request body must be a JSON object"
  end
  return nil, nil
end

function envoy_on_request(handle)
  local status, message = refusal(handle)
  if status ~= nil then
    handle:respond({[":status"] = status}, message)
  end
end
