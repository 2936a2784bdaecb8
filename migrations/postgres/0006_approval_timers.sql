-- Of the submission a response waits with: null until its reviewers were reminded, and until it was escalated.
alter table responses add column reminded_at timestamptz;
alter table responses add column escalated_at timestamptz;
