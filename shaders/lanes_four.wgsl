// Four pairs of words side by side: those of two blocks. Each step is taken for all of them before the next one, so that
// a processor that would wait for one pair's result has another pair's work to do.
alias Words = vec4<u32>;
alias Integers = vec4<i32>;
alias Floats = vec4<f32>;
