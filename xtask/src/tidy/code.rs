//! Just enough reading of Rust to find where items end.
//!
//! An item ends where its brackets are all closed again. Only brackets in literals and comments
//! could break that, so these are blanked out first. A real parser was left out: it alone would
//! take longer to compile than the rest of this crate.

/// The text with every comment, string and character literal replaced by spaces.
///
/// Lines and columns stay where they are.
pub fn mask(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut position = 0;
    while let Some(&character) = characters.get(position) {
        let after_word = masked.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let rest = &characters[position..];
        let hidden = hidden_length(rest, after_word).min(rest.len());
        if hidden == 0 {
            masked.push(character);
            position += 1;
        } else {
            masked.extend(rest[..hidden].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            position += hidden;
        }
    }
    masked
}

/// How many lines the item takes that starts on the first of these masked lines; `None` when it
/// has no body.
pub fn item_lines(lines: &[&str]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        for character in line.chars() {
            match character {
                '(' | '[' | '{' => depth += 1,
                '}' if depth == 1 => return Some(index + 1),
                ')' | ']' | '}' => depth = depth.checked_sub(1)?,
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

/// The length of the comment or literal that `rest` starts with; 0 when it starts with code.
fn hidden_length(rest: &[char], after_word: bool) -> usize {
    match rest {
        ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment_length(rest),
        ['"', ..] => quoted_length(rest, '"'),
        ['r', '"' | '#', ..] if !after_word => raw_string_length(rest),
        ['b' | 'c', 'r', '"' | '#', ..] if !after_word => match raw_string_length(&rest[1..]) {
            0 => 0,
            length => length + 1,
        },
        ['\'', '\\', ..] => quoted_length(rest, '\''),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn block_comment_length(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut position = 0;
    while position < rest.len() {
        match rest[position..] {
            ['/', '*', ..] => (depth, position) = (depth + 1, position + 2),
            ['*', '/', ..] if depth == 1 => return position + 2,
            ['*', '/', ..] => (depth, position) = (depth - 1, position + 2),
            _ => position += 1,
        }
    }
    rest.len()
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut position = 1;
    while position < rest.len() {
        match rest[position] {
            '\\' => position += 2,
            found if found == quote => return position + 1,
            _ => position += 1,
        }
    }
    rest.len()
}

/// 0 for a raw identifier, which starts like a raw string.
fn raw_string_length(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let ends = |window: &[char]| window[0] == '"' && window[1..].iter().all(|&c| c == '#');
    let content = &rest[hashes + 2..];
    match content.windows(1 + hashes).position(ends) {
        Some(length) => 1 + hashes + 1 + length + 1 + hashes,
        None => rest.len(),
    }
}

#[cfg(test)]
mod tests;
