-- The canary stream of each collector: the number it sent last, and when. A number stands here before it is sent.
CREATE TABLE canaries (
    holder TEXT PRIMARY KEY,
    instance TEXT NOT NULL,
    number BIGINT NOT NULL,
    sent_at BIGINT NOT NULL
);
