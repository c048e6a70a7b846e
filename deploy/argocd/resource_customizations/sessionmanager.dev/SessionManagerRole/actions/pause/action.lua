if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["sessionmanager.dev/paused"] = "true"
return obj
