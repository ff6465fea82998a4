// Pointers
