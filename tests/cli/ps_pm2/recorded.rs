//! What a real pm2 0.7.2 said and did, case by case, in an empty HOME of its own. The recordings lie beside the checkout; without
//! them the replay says that it was skipped.
