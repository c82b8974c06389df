"""Short histories of one field of one link, millions of them: merging alone, without CRMs or a store.

A seed makes one history: sides that join, people who type the same few values again and again, CRMs that round and cut,
writes that fail, plans that are not carried out, policies that change. `history.play` plays it; after every step the
merge must want what `truth` says that was promised, and at the end all must be quiet.
`python -m crmbridge.testing.merge_cases 2000000 [FIRST_SEED]` plays many, and names the seeds that fail.
"""
