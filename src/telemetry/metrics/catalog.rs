//! What metrics there are: collectors enter, a registry and a list of names, types, labels and help
//! leave. No IO. The list is what documents, alerts and dashboards are checked against.

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Registry,
};

use super::MetricsError;

/// One metric, as its documentation has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name; a histogram's series have `_bucket`, `_sum` and `_count` after it.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels, sorted.
    pub labels: Vec<String>,
    /// What it says.
    pub help: String,
    /// Whether only the leader has series of it.
    pub of_leader: bool,
}

/// The registry, and the list of what is in it.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(super) registry: Registry,
    pub(super) list: Vec<Listed>,
}

impl Catalog {
    /// A metric of every replica.
    pub(super) fn add<C: Typed>(&mut self, made: prometheus::Result<C>) -> Result<C, MetricsError> {
        self.register(made, false)
    }

    /// A metric that only the leader has series of.
    pub(super) fn add_of_leader<C: Typed>(
        &mut self,
        made: prometheus::Result<C>,
    ) -> Result<C, MetricsError> {
        self.register(made, true)
    }

    /// What the operating system knows of this process.
    #[cfg(target_os = "linux")]
    pub(super) fn add_process(&mut self) -> Result<(), MetricsError> {
        let process = prometheus::process_collector::ProcessCollector::for_self();
        for description in process.desc() {
            let kind = if description.fq_name.ends_with("_total") {
                IntCounter::TYPE
            } else {
                IntGauge::TYPE
            };
            self.list(description, kind, false);
        }
        Ok(self.registry.register(Box::new(process))?)
    }

    fn register<C: Typed>(
        &mut self,
        made: prometheus::Result<C>,
        of_leader: bool,
    ) -> Result<C, MetricsError> {
        let collector = made?;
        for description in collector.desc() {
            self.list(description, C::TYPE, of_leader);
        }
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn list(&mut self, described: &prometheus::core::Desc, kind: &'static str, of_leader: bool) {
        let constant = described
            .const_label_pairs
            .iter()
            .map(|l| l.name().to_owned());
        let mut labels: Vec<String> = constant.chain(described.variable_labels.clone()).collect();
        labels.sort();
        self.list.push(Listed {
            name: described.fq_name.clone(),
            kind,
            labels,
            help: described.help.clone(),
            of_leader,
        });
    }
}

/// A collector whose type is known before it has a series.
pub(super) trait Typed: Collector + Clone + 'static {
    /// As `# TYPE` has it.
    const TYPE: &'static str;
}

macro_rules! typed {
    ($word:literal: $($collector:ty),+) => {
        $(impl Typed for $collector {
            const TYPE: &'static str = $word;
        })+
    };
}

typed!("counter": IntCounter, IntCounterVec);
typed!("gauge": Gauge, GaugeVec, IntGauge, IntGaugeVec);
typed!("histogram": Histogram, HistogramVec);
