// Two pairs of words side by side: those of one block. Each step is taken for all of them before the next one, so that
// a processor that would wait for one pair's result has another pair's work to do.
alias Words = vec2<u32>;
alias Integers = vec2<i32>;
alias Floats = vec2<f32>;
