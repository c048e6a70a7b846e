-- A SessionManagerRole in, the actions out that make sense for it now.

local annotations = obj.metadata.annotations or {}
local paused = annotations["sessionmanager.dev/paused"] == "true"

local actions = {}
-- Also while it is being deleted: a deletion that was held up is tried again at once.
actions["reconcile-now"] = {
  ["disabled"] = paused,
  ["displayName"] = "Reconcile now",
  ["iconClass"] = "fa fa-fw fa-sync"
}
actions["pause"] = {
  ["disabled"] = paused,
  ["displayName"] = "Pause",
  ["iconClass"] = "fa fa-fw fa-pause-circle"
}
actions["resume"] = {
  ["disabled"] = not paused,
  ["displayName"] = "Resume",
  ["iconClass"] = "fa fa-fw fa-play-circle"
}
return actions
