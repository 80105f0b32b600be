"""What a draft says, beside what the page keeps in each."""

from __future__ import annotations

# Of a row named `lease`. The page sends every field, empty ones too, and with them its own: how long, where, and which
# of its drafts this is.
IS_BEGUN = """EXISTS (
    SELECT FROM jsonb_each(lease.draft) WHERE key NOT IN ('elapsed', 'cursor', 'order', 'mark')
        AND value NOT IN ('{}', '[]', '""', 'null', 'false')
)"""
