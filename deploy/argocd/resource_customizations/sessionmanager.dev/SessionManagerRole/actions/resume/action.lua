if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["sessionmanager.dev/paused"] = nil
end
return obj
