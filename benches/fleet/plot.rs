//! Points in, a picture out (SVG): calls, CPU time and memory against the number of objects, beside
//! what was measured of a peer. No IO.

use std::error::Error;

use plotters::prelude::*;

use crate::report::Point;

const SIZE: (u32, u32) = (1200, 380);
const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const PEER: RGBColor = RGBColor(0xd6, 0x27, 0x28);
/// ACK iam-controller v1.8.1: 14 calls a role and resync; 99 MB with 1,000 roles.
const PEER_CALLS: [(f64, f64); 3] = [(100.0, 1400.0), (1000.0, 14_000.0), (5000.0, 70_000.0)];
const PEER_MEMORY: [(f64, f64); 1] = [(1000.0, 99.0)];

/// One of the three diagrams.
struct Panel<'a> {
    title: &'a str,
    ours: Vec<(f64, f64)>,
    peer: &'a [(f64, f64)],
}

/// The picture.
pub fn svg(points: &[Point]) -> Result<String, Box<dyn Error>> {
    let of = |value: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        points
            .iter()
            .map(|p| (p.objects as f64, value(p)))
            .collect()
    };
    let panels = [
        Panel {
            title: "calls to AWS in a resync",
            ours: of(|p| p.calls),
            peer: &PEER_CALLS,
        },
        Panel {
            title: "CPU seconds of a resync",
            ours: of(|p| p.cpu),
            peer: &[],
        },
        Panel {
            title: "MiB resident",
            ours: of(|p| p.memory),
            peer: &PEER_MEMORY,
        },
    ];
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, panel) in root.split_evenly((1, panels.len())).iter().zip(&panels) {
            draw(area, panel)?;
        }
        root.present()?;
    }
    Ok(picture)
}

fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    panel: &Panel,
) -> Result<(), Box<dyn Error>>
where
    B::ErrorType: 'static,
{
    let values = || panel.ours.iter().chain(panel.peer).map(|(_, value)| *value);
    let (least, most) = values().fold((f64::MAX, f64::MIN), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .caption(panel.title, ("sans-serif", 17))
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(
            (80.0..6300.0).log_scale(),
            (least / 2.0..most * 2.0).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("objects")
        .x_labels(5)
        .y_labels(8)
        .x_label_formatter(&f64::to_string)
        .y_label_formatter(&f64::to_string)
        .label_style(("sans-serif", 12))
        .light_line_style(WHITE)
        .draw()?;
    for (name, line, colour) in [
        ("session-manager-role", panel.ours.as_slice(), OURS),
        ("ACK iam-controller", panel.peer, PEER),
    ] {
        if line.is_empty() {
            continue;
        }
        chart
            .draw_series(LineSeries::new(
                line.iter().copied(),
                colour.stroke_width(2),
            ))?
            .label(name)
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
        chart.draw_series(line.iter().map(|point| {
            EmptyElement::at(*point)
                + Circle::new((0, 0), 4, colour.filled())
                + Text::new(
                    three_digits(point.1),
                    (-12, -18),
                    ("sans-serif", 12).into_font(),
                )
        }))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 12))
        .draw()?;
    Ok(())
}

/// A figure that can be read at a glance.
fn three_digits(value: f64) -> String {
    let decimals = [1.0, 10.0, 100.0].iter().filter(|bound| value < **bound);
    format!("{value:.*}", decimals.count())
}
