//! What is served: kinds and their paths. Names enter and leave, no IO.

/// A kind of object that the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// sessionmanager.dev/v1alpha1 SessionManagerRole
    Roles,
    /// coordination.k8s.io/v1 Lease
    Leases,
    /// events.k8s.io/v1 Event
    Events,
    /// v1 Namespace
    Namespaces,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Roles, Self::Leases, Self::Events, Self::Namespaces];

    /// The API group; empty for the core.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Roles => "sessionmanager.dev",
            Self::Leases => "coordination.k8s.io",
            Self::Events => "events.k8s.io",
            Self::Namespaces => "",
        }
    }

    /// The version that is served.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Roles => "v1alpha1",
            Self::Leases | Self::Events | Self::Namespaces => "v1",
        }
    }

    /// As it stands in paths.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Roles => "sessionmanagerroles",
            Self::Leases => "leases",
            Self::Events => "events",
            Self::Namespaces => "namespaces",
        }
    }

    /// As it stands in objects.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Roles => "SessionManagerRole",
            Self::Leases => "Lease",
            Self::Events => "Event",
            Self::Namespaces => "Namespace",
        }
    }

    /// Whether its objects lie in namespaces.
    pub const fn is_namespaced(self) -> bool {
        !matches!(self, Self::Namespaces)
    }

    /// Whether it is of a CRD.
    pub(crate) const fn is_custom(self) -> bool {
        matches!(self, Self::Roles)
    }

    /// Whether status is written apart from the rest.
    pub(crate) const fn has_status(self) -> bool {
        matches!(self, Self::Roles | Self::Namespaces)
    }

    /// Whether an update makes an object that is not there.
    pub(crate) const fn is_created_by_update(self) -> bool {
        matches!(self, Self::Leases | Self::Events)
    }

    /// Whether an update needs no resourceVersion.
    pub(crate) const fn is_updated_blindly(self) -> bool {
        matches!(self, Self::Events | Self::Namespaces)
    }

    /// GROUP/VERSION, or VERSION.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// PLURAL.GROUP, or PLURAL: how messages name it.
    pub(crate) fn qualified(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// KIND.GROUP, or KIND.
    pub(crate) fn qualified_kind(self) -> String {
        match self.group() {
            "" => self.kind().to_owned(),
            group => format!("{}.{group}", self.kind()),
        }
    }

    pub(crate) fn of(group: &str, version: &str, plural: &str) -> Option<Self> {
        let is = |known: &Self| {
            (known.group(), known.version(), known.plural()) == (group, version, plural)
        };
        Self::ALL.into_iter().find(is)
    }
}

/// What is asked of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// One object.
    Get,
    /// All objects.
    List,
    /// Changes as they happen.
    Watch,
    /// A new object.
    Create,
    /// An object as a whole.
    Update,
    /// Of whichever kind of patch.
    Patch,
    /// One object.
    Delete,
    /// All objects.
    DeleteCollection,
}

impl Verb {
    /// As RBAC names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    /// Whether it changes anything.
    pub const fn is_write(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// A part of an object with a path of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subresource {
    /// `/status`
    Status,
}

/// Where an object is: namespace (empty where there are none) and name.
pub(crate) type Place = (String, String);
