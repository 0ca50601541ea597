-- Reads a body that is too large to its end and forgets it, so that the client gets to read why: an answer in the middle of the
-- upload would be lost when the connection closes. Beyond DISCARD_BYTES the buffer limit of the listener cuts the upload.
local MAX_BYTES = 0
local DISCARD_BYTES = 16 * MAX_BYTES

function envoy_on_request(handle)
  local received = 0
  for chunk in handle:bodyChunks() do
    received = received + chunk:length()
    if received > MAX_BYTES then
      handle:streamInfo():dynamicMetadata():set("meshflow", "size", "too large")
      if received <= DISCARD_BYTES then
        chunk:setBytes("")
      end
    end
  end
end
