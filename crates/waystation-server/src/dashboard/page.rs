//! The frame of every page.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::parts::words::sentence;
use super::visit::Visit;
use super::{assets, flash};
use crate::access::Proof;
use crate::live::Topic;

/// What the navigation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// How it goes.
    Overview,
    /// The pipelines.
    Pipelines,
    /// The jobs.
    Jobs,
    /// What waits for a person.
    Inbox,
    /// The dead letters.
    DeadLetters,
    /// The queues.
    Queues,
    /// Who works.
    Workers,
    /// What finds jobs.
    Sources,
    /// What is done to many jobs.
    Operations,
    /// Who did what.
    Audit,
    /// Who may come in.
    Tokens,
}

impl Place {
    /// What is done, by whom it is done, and what people do about it.
    const GROUPS: [&[Self]; 3] = [
        &[Self::Overview, Self::Pipelines, Self::Jobs, Self::Inbox, Self::DeadLetters],
        &[Self::Queues, Self::Workers, Self::Sources],
        &[Self::Operations, Self::Audit, Self::Tokens],
    ];

    /// Whether only those see it who decide who may come in, as through the API.
    fn is_for_admins(self) -> bool {
        matches!(self, Self::Audit | Self::Tokens)
    }

    /// Its name and its address.
    fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => ("Overview", "/"),
            Self::Pipelines => ("Pipelines", "/pipelines"),
            Self::Jobs => ("Jobs", "/jobs"),
            Self::Inbox => ("Inbox", "/inbox"),
            Self::DeadLetters => ("Dead letters", "/dead"),
            Self::Queues => ("Queues", "/queues"),
            Self::Workers => ("Workers", "/workers"),
            Self::Sources => ("Sources", "/sources"),
            Self::Operations => ("Operations", "/operations"),
            Self::Audit => ("Audit log", "/audit"),
            Self::Tokens => ("Tokens", "/tokens"),
        }
    }
}

/// A page in the making: parts that stay, and live sections that are asked for again.
pub struct Page<'a> {
    visit: &'a Visit,
    title: String,
    place: Place,
    topic: Option<String>,
    script: Option<&'static str>,
    is_below: bool,
    head: Markup,
    parts: Vec<Markup>,
}

impl<'a> Page<'a> {
    /// An empty page.
    pub fn new(visit: &'a Visit, place: Place, title: impl Into<String>) -> Self {
        let (title, head) = (title.into(), html! {});
        let (topic, script, is_below) = (None, None, false);
        Self { visit, title, place, topic, script, is_below, head, parts: Vec::new() }
    }

    /// The page is one of many below its place, and leads back to it.
    #[must_use]
    pub fn below(mut self) -> Self {
        self.is_below = true;
        self
    }

    /// The page follows this topic.
    #[must_use]
    pub fn follow(mut self, topic: &Topic) -> Self {
        self.topic = Some(topic.query());
        self
    }

    /// The page has this script besides.
    #[must_use]
    pub fn script(mut self, name: &'static str) -> Self {
        self.script = Some(name);
        self
    }

    /// What stands beside the title: facts, and what can be done.
    #[must_use]
    pub fn head(mut self, head: Markup) -> Self {
        self.head = head;
        self
    }

    /// A part that stays as it is.
    #[must_use]
    pub fn with(mut self, part: Markup) -> Self {
        self.parts.push(part);
        self
    }

    /// A section that is asked for again when something changes.
    #[must_use]
    pub fn live(
        mut self,
        id: &'static str,
        class: &'static str,
        content: impl FnOnce() -> Markup,
    ) -> Self {
        if self.visit.wants(id) {
            self.parts.push(html! { section id=(id) class=(class) data-live { (content()) } });
        }
        self
    }

    /// A page for whoever asked: the whole, or the sections that they wanted.
    pub fn respond(self) -> Response {
        let fresh = (header::CACHE_CONTROL, "no-store");
        if self.visit.wanted.is_some() {
            let live = self.parts.into_iter().filter(|part| part.0.contains("data-live"));
            let sections = live.map(|part| part.0).collect::<String>();
            return ([fresh], PreEscaped(sections)).into_response();
        }
        let mut response = ([fresh], self.whole()).into_response();
        if self.visit.flash.is_some() {
            let (name, value) = flash::over();
            response.headers_mut().append(name, value);
        }
        response
    }

    fn whole(&self) -> Markup {
        let topic = self.topic.as_deref();
        document(
            &self.title,
            &html! {
                body data-topic=[topic] {
                    a.skip href="#main" { "Skip to the content" }
                    (navigation(self.visit, self.place))
                    div.frame {
                        header.top {
                            @if self.is_below { (way_back(self.place)) }
                            h1 { (self.title) }
                            (self.head)
                            @if topic.is_some() {
                                span #connection .connection role="status" hidden { "live" }
                            }
                        }
                        @if let Some(flash) = &self.visit.flash {
                            p.flash.bad[flash.is_bad] role="status" { (sentence(&flash.text)) }
                        }
                        main #main tabindex="-1" { @for part in &self.parts { (part) } }
                    }
                    script type="module" src=(assets::address("page.js")) {}
                    @if let Some(script) = self.script {
                        script type="module" src=(assets::address(script)) {}
                    }
                }
            },
        )
    }
}

/// A page without the navigation, for those who may not see more.
pub fn bare(title: &str, body: &Markup) -> Markup {
    document(title, &html! { body.bare { main #main { (body) } } })
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Waystation" }
                link rel="icon" type="image/svg+xml" href=(assets::address("icon.svg"));
                link rel="stylesheet" href=(assets::address("style.css"));
                script src=(assets::address("theme.js")) {}
            }
            (body)
        }
    }
}

fn navigation(visit: &Visit, here: Place) -> Markup {
    let is_for_them = |place: &&Place| !place.is_for_admins() || visit.may_decide();
    let links = html! {
        @for group in Place::GROUPS {
            ul { @for place in group.iter().filter(is_for_them) {
                @let (name, address) = place.link();
                @let current = (*place == here).then_some("page");
                li { a href=(address) aria-current=[current] { (name) } }
            } }
        }
    };
    let who = &visit.identity;
    html! {
        nav.side aria-label="Pages" {
            a.brand href="/" { (mark()) "Waystation" }
            details.menu { summary { "Menu" } (links) }
            div.links { (links) }
            div.who {
                span.name title={ "role: " (who.role) } { (who.name) small { (who.role) } }
                button.quiet.js-only type="button" data-theme-switch { "Theme" }
                @if who.proof == Proof::Session {
                    form method="post" action="/logout" { button.quiet { "Log out" } }
                }
            }
        }
    }
}

fn way_back(place: Place) -> Markup {
    let (name, address) = place.link();
    html! { a.back href=(address) { (name) } span.back aria-hidden="true" { "/" } }
}

/// Our mark: two stations on a line.
pub fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" {
            path d="M2 14h5l5-8h6" fill="none" stroke="currentColor" stroke-width="2" {}
            circle cx="7" cy="14" r="2.6" fill="currentColor" {}
            circle cx="12.5" cy="6" r="2.6" fill="currentColor" {}
        }
    }
}
