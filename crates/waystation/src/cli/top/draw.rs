//! Draws the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Cell, Paragraph, Row as TableRow, StatefulWidget, Table, TableState, Widget,
};

use super::model::{Mode, Model, Tab};
use super::rows::{Column, Row, faint};
use super::snapshot::{Deed, Snapshot};
use crate::cli::overview::rate;
use crate::cli::{out, timing};

/// The room between columns.
const GAP: u16 = 1;
/// What keys do, as far as there is room to say so.
const KEYS: [(&str, &str); 6] = [
    ("q", "quit"),
    ("tab", "next view"),
    ("enter/esc", "in and out of a pipeline"),
    ("/", "filter"),
    ("p", "pause or resume"),
    ("↑↓", "choose"),
];

/// Draws all of it.
pub fn screen(model: &Model, area: Rect, buffer: &mut Buffer) {
    let [head, tabs, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    headline(model).render(head, buffer);
    tab_line(model).render(tabs, buffer);
    match &model.snapshot {
        Some(_) => table(model, model.tab, Some(model.chosen), body, buffer),
        None => Paragraph::new("fetching …").style(faint()).render(body, buffer),
    }
    foot_line(model).render(foot, buffer);
}

/// Draws everything below each other, as high as it takes: for those who only look once.
pub fn whole(model: &Model, width: u16) -> Buffer {
    let heights = Tab::ALL.map(|tab| model.rows_of(tab).len() as u16 + 2);
    let height = heights.iter().sum::<u16>().saturating_add(1);
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    headline(model).render(Rect::new(0, 0, width, 1), &mut buffer);
    let mut top = 1;
    for (tab, height) in Tab::ALL.into_iter().zip(heights) {
        // A line stays free above each.
        let area = Rect::new(0, top + 1, width, height - 1);
        table(model, tab, None, area, &mut buffer);
        top += height;
    }
    buffer
}

/// The text of a buffer, line by line.
pub fn text(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let line = |y: u16| {
        let cells = (0..area.width).map(|x| buffer[(area.x + x, area.y + y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..area.height).map(line).collect()
}

fn headline(model: &Model) -> Line<'static> {
    let mut spans = vec![
        Span::styled("waystation", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!(" {}", model.place)),
    ];
    if let Some(snapshot) = &model.snapshot {
        spans.push(Span::styled(format!("  {}", summary(snapshot)), faint()));
    }
    Line::from(spans)
}

fn summary(snapshot: &Snapshot) -> String {
    let pipelines = &snapshot.overview.pipelines;
    let standing = |state: &str| -> u64 {
        pipelines.iter().filter_map(|pipeline| pipeline.jobs.get(state)).sum()
    };
    let done: f64 = pipelines.iter().map(|pipeline| pipeline.flow.completed_per_minute).sum();
    let workers = out::counted(snapshot.workers.len(), "worker");
    let time = timing::moment(snapshot.overview.at.0);
    let time = time.get(11..19).unwrap_or_default().to_owned();
    format!(
        "{} running, {} queued, {} failed, {} done/min, {workers}, {time} UTC",
        standing("running"),
        standing("queued"),
        standing("failed"),
        rate(done),
    )
}

fn tab_line(model: &Model) -> Line<'static> {
    let mut spans = Vec::new();
    for tab in Tab::ALL {
        let style = if tab == model.tab {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!(" {} ", tab.name()), style));
        spans.push(Span::raw(" "));
    }
    if let Some(inside) = &model.inside {
        spans.push(Span::raw(format!(" in {}", out::clean(inside))));
    }
    if model.mode == Mode::Filtering || !model.filter.is_empty() {
        let cursor = if model.mode == Mode::Filtering { "▏" } else { "" };
        spans.push(Span::styled(
            format!(" /{}{cursor}", out::clean(&model.filter)),
            Style::new().fg(Color::Cyan),
        ));
    }
    Line::from(spans)
}

fn foot_line(model: &Model) -> Line<'static> {
    let yellow = Style::new().fg(Color::Yellow);
    if let Mode::Confirming(deed) = &model.mode {
        let (word, target) = match deed {
            Deed::Pause(target) => ("pause", target),
            Deed::Resume(target) => ("resume", target),
        };
        let question = format!("{word} {}? y: yes, any other key: no", target.words());
        return Line::styled(out::clean(&question), yellow);
    }
    if let Some(trouble) = &model.trouble {
        return Line::styled(out::clean(trouble), Style::new().fg(Color::Red));
    }
    if let Some(said) = &model.said {
        return Line::styled(out::clean(said), yellow);
    }
    let may = |key: &str| key != "p" || model.may_act();
    let mut spans = Vec::new();
    for (key, what) in KEYS.into_iter().filter(|(key, _)| may(key)) {
        spans.push(Span::styled(key, Style::new().add_modifier(Modifier::BOLD)));
        spans.push(Span::styled(format!(" {what}  "), faint()));
    }
    Line::from(spans)
}

fn table(model: &Model, tab: Tab, chosen: Option<usize>, area: Rect, buffer: &mut Buffer) {
    let rows = model.rows_of(tab);
    if rows.is_empty() {
        let text = if model.filter.is_empty() { "none" } else { "none that match the filter" };
        let text = format!("{}: {text}", tab.name());
        Paragraph::new(text).style(faint()).render(area, buffer);
        return;
    }
    let columns = tab.columns();
    let shown = fitting(columns, area.width);
    let heads = shown.iter().map(|index| {
        let text = Line::from(columns[*index].head);
        Cell::from(if is_number(*index, columns) { text.right_aligned() } else { text })
    });
    let widths = shown.iter().map(|index| match (index, columns[*index].head) {
        (0, _) => Constraint::Fill(2),
        (_, "serves") => Constraint::Fill(3),
        _ => Constraint::Length(columns[*index].width),
    });
    let table = Table::new(rows.iter().map(|row| fields(row, &shown, columns)), widths)
        .header(TableRow::new(heads).style(Style::new().add_modifier(Modifier::BOLD)))
        .column_spacing(GAP)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(chosen);
    StatefulWidget::render(table, area, buffer, &mut state);
}

fn fields(row: &Row, shown: &[usize], columns: &[Column]) -> TableRow<'static> {
    let cells = shown.iter().filter_map(|index| {
        let (text, style) = row.fields.get(*index)?;
        let line = Line::styled(out::clean(text), *style);
        Some(Cell::from(if is_number(*index, columns) { line.right_aligned() } else { line }))
    });
    TableRow::new(cells.collect::<Vec<_>>())
}

/// Whether a column holds figures: all do but the first one and those of words.
fn is_number(index: usize, columns: &[Column]) -> bool {
    index > 0 && !matches!(columns[index].head, "kind" | "serves" | "paused")
}

/// The columns that there is room for: those of least weight go first.
fn fitting(columns: &[Column], width: u16) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let taken = |shown: &[usize]| -> u16 {
        shown.iter().map(|index| columns[*index].width + GAP).sum::<u16>().saturating_sub(GAP)
    };
    while shown.len() > 1 && taken(&shown) > width {
        let least = shown.iter().copied().min_by_key(|index| columns[*index].weight);
        shown.retain(|index| Some(*index) != least);
    }
    shown
}
